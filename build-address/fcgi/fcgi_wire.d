build-address/fcgi/fcgi_wire.o: fcgi/fcgi_wire.c fcgi/fcgi_wire.h
fcgi/fcgi_wire.h:
