"""``python -m nasbench.cli`` is ``nasbench``."""

import sys

from nasbench.cli import main

sys.exit(main())
