"""Settings of the notebooks that the site executes: sharp figures, every warning, and no remark of the kernel's own."""

import warnings

c = get_config()  # noqa: F821  IPython defines it
c.InlineBackend.figure_formats = {"retina"}
c.IPKernelApp.log_level = "ERROR"

# A reader sees only those deprecations that his own lines meet, not those of one library in another.
warnings.simplefilter("default")
warnings.simplefilter("ignore", DeprecationWarning)
warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
