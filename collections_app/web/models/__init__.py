"""The pages of the models: the list, one version, what fired."""
