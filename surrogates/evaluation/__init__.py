"""The field's protocol for predictors: what is predicted from what, how well, and what noise leaves to explain."""
