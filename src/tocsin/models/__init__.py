"""Tables, and the only legal changes of their rows."""
