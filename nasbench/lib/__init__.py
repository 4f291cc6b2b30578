"""What old scripts import from ``nasbench.lib``: ``model_spec`` and ``graph_util``, under their old names."""
