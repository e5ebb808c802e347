"""Shows what arrived: the account of captured and stored faces, and a contact sheet of the newest."""
