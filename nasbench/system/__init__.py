"""What the operating system and the installation ask of everything else: files, locks, processes, packages."""
