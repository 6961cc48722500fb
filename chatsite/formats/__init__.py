"""How dates and times are written; Django asks for the folder of the language."""
