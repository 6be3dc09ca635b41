"""The commands of those who use a server: each is a thin layer over `tawny.client`."""
