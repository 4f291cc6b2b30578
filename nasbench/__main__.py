"""``python -m nasbench`` is ``nasbench``."""

import sys

from nasbench.cli import main

sys.exit(main())
