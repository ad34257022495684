"""``python -m hippo_agent.cli`` is `hippo`."""

from hippo_agent.cli.app import main

if __name__ == "__main__":
    main()
