"""Show what comes for one user, as it comes: consumer.py amqp://… 7"""

import sys
from collections import deque

from kombu import Connection, Queue

url, user = sys.argv[1:]
shown = deque(maxlen=10_000)


def show(envelope, message):
    if envelope["id"] not in shown:  # it may come again after an outage
        arguments = envelope["arguments"]
        text = envelope["message"] % arguments if arguments else envelope["message"]
        print(text, envelope["address"] or "", flush=True)
        shown.append(envelope["id"])
    message.ack()


queue = Queue(f"_notifs_{user}", durable=True)
with Connection(url) as connection, connection.Consumer(queue, callbacks=[show], accept=["json"]):
    while True:
        connection.drain_events()
