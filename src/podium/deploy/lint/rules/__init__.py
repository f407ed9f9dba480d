"""The rules, one module for each class; ``table`` lists them all."""
