"""Asks the service of this container whether it can work; ends with 0 when it can.

It uses no package, for it runs every few seconds beside each service: with the settings read as a service reads them it
would cost half a second each time. What it knows of them is tried against kit/settings by tests/deploy/test_images.py.
"""

import http.client
import os
import sys

PORTS = {
    "gateway": (("TOCSIN_GATEWAY_HEALTH_PORT", "GATEWAY_PORT"), 8000),
    "intake": (("TOCSIN_INTAKE_PORT",), 8101),
    "scheduler": (("TOCSIN_SCHEDULER_PORT",), 8102),
    "email_sender": (("TOCSIN_EMAIL_SENDER_PORT",), 8103),
    "sms_sender": (("TOCSIN_SMS_SENDER_PORT",), 8104),
}
"""The environment variables that move a service's health, of which the first that is set counts, and the usual port."""


def main() -> int:
    """The exit code: 0 ready, 1 not."""
    variables, usual = PORTS[os.environ["SERVICE"]]
    port = next((os.environ[name] for name in variables if os.environ.get(name)), usual)
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=4)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        print(answer.read(500).decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer: {error}")
        return 1
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
