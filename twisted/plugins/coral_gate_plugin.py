"""Makes `twistd coral-gate` known."""

from twisted.application.service import ServiceMaker

coral_gate = ServiceMaker("Coral Gate", "coral_gate.tap", "The front door of a house of AI-agent sandboxes", "coral-gate")
