"""The gateway as a process."""

from services.gateway.app import main

if __name__ == "__main__":
    main()
