"""The town in a box: customers with a hidden nature, their lender's book, 90 days through the platform."""
