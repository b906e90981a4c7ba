"""The data sets, one file each. `minidl.data` exports them."""
