# SPDX-License-Identifier: Apache-2.0
"""What every test may rely on, however the run was started."""

import signal

# A run started in the background inherits an ignored Ctrl-C, and so would every program the tests
# interrupt on purpose.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
