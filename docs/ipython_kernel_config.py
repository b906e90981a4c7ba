"""Settings of the notebooks that the site executes: sharp figures, and no remark on how the kernel is reached."""

c = get_config()  # noqa: F821  IPython defines it
c.InlineBackend.figure_formats = {"retina"}
c.IPKernelApp.log_level = "ERROR"
