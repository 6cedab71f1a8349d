#!/usr/bin/python3
# What systemd does with a service of Type=notify that has a store for file
# descriptors: it starts the program, keeps what it is given, and hands it to the
# next one.
#
#     fdstore.py SOCKET PROGRAM ARGUMENT...
#
# On SIGUSR1 the program is ended and started anew, on SIGTERM ended for good.  What
# it tells is printed, line by line.

import os
import signal
import socket
import sys

where, command = sys.argv[1], sys.argv[2:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(where)
kept = None
child = None
asked = []


def start():
    pid = os.fork()
    if pid != 0:
        return pid
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    os.environ['NOTIFY_SOCKET'] = where
    if kept is not None:
        os.dup2(kept, 3, inheritable=True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1',
                          LISTEN_FDNAMES='registry-fcgi')
    os.execv(command[0], command)


def end():
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)


def told():
    global kept
    message, fds, _, _ = socket.recv_fds(notify, 4096, 4)
    lines = message.decode().split('\n')
    print('\n'.join(lines), flush=True)
    if 'FDSTORE=1' in lines and kept is None:
        kept = fds[0]
    elif 'FDSTOREREMOVE=1' in lines and kept is not None:
        os.close(kept)
        kept = None


for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: asked.append(number))
notify.settimeout(0.1)
child = start()

while signal.SIGTERM not in asked:
    if signal.SIGUSR1 in asked:
        asked.remove(signal.SIGUSR1)
        end()
        child = start()
    try:
        told()
    except socket.timeout:
        pass

end()
