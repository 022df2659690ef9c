"""Decision rules as data and the evaluator that reads them."""
