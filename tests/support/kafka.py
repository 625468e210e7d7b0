"""kafka.py LIBRARY PORT-FILE ADDRESS: brokers of Kafka's protocol, as librdkafka has them within, and a consumer of the same library.

A scene speaks with it over HTTP; what it may ask stands at `CALLS`. The library is loaded as it is, so any Python will do. Its brokers
let everybody in: a scene may have gates before them (`kafka_gate.py`), which ask for a password by SASL.
"""

import json
import os
import sys
from ctypes import CDLL, POINTER, Structure, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p, create_string_buffer, string_at
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qsl, urlsplit

import kafka_gate

PRODUCER, CONSUMER = 0, 1
BEGINNING = -2
PARTITION_EOF = -191
BROKERS = 2

kafka = CDLL(sys.argv[1])


class Message(Structure):
    _fields_ = [
        ("error", c_int), ("topic", c_void_p), ("partition", c_int32), ("payload", c_void_p), ("length", c_size_t),
        ("key", c_void_p), ("key_length", c_size_t), ("offset", c_int64), ("private", c_void_p),
    ]


def declare(name, result, *arguments):
    function = getattr(kafka, "rd_kafka_" + name)
    function.restype, function.argtypes = result, arguments
    return function


conf_new = declare("conf_new", c_void_p)
conf_set = declare("conf_set", c_int, c_void_p, c_char_p, c_char_p, c_char_p, c_size_t)
new = declare("new", c_void_p, c_int, c_void_p, c_char_p, c_size_t)
destroy = declare("destroy", None, c_void_p)
cluster_new = declare("mock_cluster_new", c_void_p, c_void_p, c_int)
bootstraps = declare("mock_cluster_bootstraps", c_char_p, c_void_p)
topic_create = declare("mock_topic_create", c_int, c_void_p, c_char_p, c_int, c_int)
topic_delete = declare("mock_topic_delete", c_int, c_void_p, c_char_p)
broker_down = declare("mock_broker_set_down", c_int, c_void_p, c_int32)
broker_up = declare("mock_broker_set_up", c_int, c_void_p, c_int32)
set_host_port = declare("mock_broker_set_host_port", c_int, c_void_p, c_int32, c_char_p, c_int)
set_leader = declare("mock_partition_set_leader", c_int, c_void_p, c_char_p, c_int32, c_int32)
list_new = declare("topic_partition_list_new", c_void_p, c_int)
list_add = declare("topic_partition_list_add", c_void_p, c_void_p, c_char_p, c_int32)
list_offset = declare("topic_partition_list_set_offset", c_int, c_void_p, c_char_p, c_int32, c_int64)
list_destroy = declare("topic_partition_list_destroy", None, c_void_p)
assign = declare("assign", c_int, c_void_p, c_void_p)
poll = declare("consumer_poll", POINTER(Message), c_void_p, c_int)
message_destroy = declare("message_destroy", None, POINTER(Message))
consumer_close = declare("consumer_close", c_int, c_void_p)


def client(kind, **settings):
    conf, error = conf_new(), create_string_buffer(512)
    for name, value in settings.items():
        if conf_set(conf, name.replace("_", ".").encode(), value.encode(), error, len(error)) != 0:
            raise RuntimeError(error.value.decode())
    return new(kind, conf, error, len(error)) or sys.exit(error.value.decode())


cluster = cluster_new(client(PRODUCER), BROKERS)
brokers = bootstraps(cluster).decode().split(",")
gates = []
shown = {}
one_at_a_time = Lock()


def checked(error):
    if error != 0:
        raise RuntimeError("the library says %d" % error)
    return []


def bytes_at(place, length):
    return string_at(place, length).decode() if place else None


def gate(user, password):
    """Has everybody come by gates from now on, the consumer as well, and says where these are."""
    ports = [kafka_gate.start(sys.argv[3], broker, user, password) for broker in brokers]
    for number, port in enumerate(ports):
        checked(set_host_port(cluster, number + 1, sys.argv[3].encode(), port))
        gates.append("%s:%d" % (sys.argv[3], port))
    shown.update(security_protocol="SASL_PLAINTEXT", sasl_mechanism="SCRAM-SHA-512", sasl_username=user, sasl_password=password)
    return gates


def consumer():
    """One of its own for each question: one that has read a topic goes on to ask for what has been deleted."""
    # Settings of the library have dots in their names.
    return client(
        CONSUMER, bootstrap_servers=",".join(gates or brokers), group_id="scene", enable_auto_commit="false", enable_partition_eof="true", **shown,
    )


def messages(topic, partitions):
    """All of them, read from the beginning to the end of each partition."""
    reader = consumer()
    try:
        return read(reader, topic, int(partitions))
    finally:
        consumer_close(reader)
        destroy(reader)


def read(reader, topic, partitions):
    wanted = list_new(partitions)
    for partition in range(partitions):
        list_add(wanted, topic, partition)
        list_offset(wanted, topic, partition, BEGINNING)
    checked(assign(reader, wanted))
    list_destroy(wanted)
    found, ended = [], set()
    while len(ended) < partitions:
        message = poll(reader, 5000)
        if not message:
            raise RuntimeError("no answer of the brokers")
        it = message.contents
        if it.error == PARTITION_EOF:
            ended.add(it.partition)
        elif it.error == 0:
            found.append({
                "partition": it.partition, "key": bytes_at(it.key, it.key_length), "value": bytes_at(it.payload, it.length),
            })
        error = it.error
        message_destroy(message)
        checked(0 if error == PARTITION_EOF else error)
    return found


CALLS = {
    "/brokers": lambda: brokers,
    "/gate": gate,
    "/create": lambda topic, partitions: checked(topic_create(cluster, topic.encode(), int(partitions), 1)),
    "/delete": lambda topic: checked(topic_delete(cluster, topic.encode())),
    "/lead": lambda topic, partition, broker: checked(set_leader(cluster, topic.encode(), int(partition), int(broker))),
    "/down": lambda broker: checked(broker_down(cluster, int(broker))),
    "/up": lambda broker: checked(broker_up(cluster, int(broker))),
    "/messages": lambda topic, partitions: messages(topic.encode(), partitions),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        try:
            with one_at_a_time:
                status, answer = 200, CALLS[url.path](**dict(parse_qsl(url.query)))
        except Exception as error:
            status, answer = 500, repr(error)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer((sys.argv[3], 0), Handler)
with open(sys.argv[2] + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
