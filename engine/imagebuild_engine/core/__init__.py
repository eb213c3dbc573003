"""What to do: values in, values out. Nothing here touches a file, a socket or a clock."""
