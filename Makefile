# nginx-registry.  The two commands of the README:
#
#     make run       builds what is missing and serves on 127.0.0.1:5000
#     make test      builds and tests everything
#
# `make help` lists the rest.

LISTEN  ?= 127.0.0.1:5000
ROOT    ?= $(CURDIR)/data
RUNDIR  ?= $(CURDIR)/run
CONFIG  ?=
REDIS   ?=

# yes: serve everybody on another address than loopback
OPEN    ?=

PREFIX  ?= /usr
DESTDIR ?=

# an unpacked nginx source tree to build the module for; by default the one
# that Debian's nginx-dev brings for Debian's nginx
NGINX_SRC ?= /usr/share/nginx/src
NGINX     ?= $(shell command -v nginx || echo /usr/sbin/nginx)

# nginx takes a variable of this name for inherited sockets
unexport NGINX

# address (with undefined) or thread: an instrumented build of its own
SAN ?=

VERSION := 0.1.0

B := build$(if $(SAN),-$(SAN))

ifeq ($(origin CC),default)
CC := gcc
endif

CSTD   := -std=c11 -D_GNU_SOURCE
WARN   := -Wall -Wextra -Werror -Wshadow -Wconversion -Wvla \
          -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
HARDEN := -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
LHARD  := -pie -Wl,-z,relro -Wl,-z,now
CFLAGS ?= -O2 -g
, := ,

SANF   := $(if $(filter address,$(SAN)),-fsanitize=address$(,)undefined \
          -fno-sanitize-recover=undefined \
          -fno-omit-frame-pointer)$(if $(filter thread,$(SAN)),-fsanitize=thread)

ALLC  := $(CSTD) $(WARN) $(HARDEN) $(CFLAGS) $(SANF) -DREG_VERSION='"$(VERSION)"' \
         -Isrc -MMD -MP
ALLL  := $(LHARD) $(SANF) $(LDFLAGS)

LIBS_SRC  := -lhiredis -ljansson -lyaml -ljose -lpcre2-8 -lldap -llber -lcrypto -lcrypt

SRC_O  := $(patsubst src/%.c,$B/src/%.o,$(wildcard src/*.c))
FCGI_O := $(patsubst fcgi/%.c,$B/fcgi/%.o,$(wildcard fcgi/*.c))
CTL_O  := $(patsubst ctl/%.c,$B/ctl/%.o,$(wildcard ctl/*.c))
UNITS  := $(patsubst t/unit/%.c,$B/unit/%,$(wildcard t/unit/*.c))

WORKER := $B/registry-fcgi
CTL    := $B/registryctl
MODULE := $B/ngx_http_registry_module.so

# V=1 shows the commands
ifeq ($(V),)
Q := @
say = @printf '  %-4s %s\n' $(1) $(2)
else
Q :=
say = @:
endif

.DELETE_ON_ERROR:
.PHONY: fuzz bench-access bench-tags test-tags test-go all build deps deps-test run test check lint unit bench conformance \
        install uninstall deb clean help nginx

all: build

build: deps
	@$(MAKE) --no-print-directory $(if $(V),,-s) -j$$(nproc) $(WORKER) $(CTL) $(MODULE)

# ---- what it needs --------------------------------------------------------

deps:
	@sh conf/deps.sh build $(if $(filter /usr/share/nginx/src,$(NGINX_SRC)),debian-nginx)

deps-test: deps
	@sh conf/deps.sh test

# ---- the worker -----------------------------------------------------------

$B/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALLC) -c -o $@ $<

$B/fcgi/%.o: fcgi/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALLC) -Ifcgi -c -o $@ $<

$B/libreg.a: $(SRC_O)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(WORKER): $(FCGI_O) $B/libreg.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALLL) -o $@ $^ $(LIBS_SRC) -lpthread

# ---- the operator's program -------------------------------------------------

$B/ctl/%.o: ctl/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALLC) -Ictl -c -o $@ $<

$(CTL): $(CTL_O) $B/libreg.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALLL) -o $@ $^ $(LIBS_SRC) -lpthread

# ---- the module -----------------------------------------------------------
#
# nginx's configure writes into its own directory, so it gets one of links.
# Debian's flags (conf_flags) make the module fit Debian's binary; for another
# tree --with-compat does.

# what the addon's config lists
MODULE_NOUNS := $(shell sed -n '/^registry_nouns=/,/"$$/{s/registry_nouns=//;s/["\\]//g;p}' config)
MODULE_DEPS  := config $(wildcard ngx_module/*.[ch]) \
                $(foreach n,$(MODULE_NOUNS),src/$n.c src/$n.h)
MODULE_CC   := $(CFLAGS) -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
               $(if $(filter address,$(SAN)),$(SANF))
MODULE_LD   := -Wl,-z,relro -Wl,-z,now $(if $(filter address,$(SAN)),$(SANF))

$B/nginx/objs/Makefile: config
	@test -x $(NGINX_SRC)/configure || test -x $(NGINX_SRC)/auto/configure \
	    || { echo "$(NGINX_SRC) is no nginx source tree: install nginx-dev," \
	              "or name one with NGINX_SRC=" >&2; exit 1; }
	@rm -rf $B/nginx && mkdir -p $B/nginx
	@for f in $(abspath $(NGINX_SRC))/*; do \
	    case $$f in */objs|*/Makefile) ;; *) ln -s $$f $B/nginx/ ;; esac; done
	@cd $B/nginx && { test -x configure || ln -s auto/configure configure; }
	$(call say,CONF,$(NGINX_SRC))
	@cd $B/nginx && bash -c 'NGX_CONF_FLAGS=(--with-compat --with-threads \
	    --with-http_v2_module --with-http_ssl_module); \
	    if test -e conf_flags; then . ./conf_flags; fi; \
	    ./configure "$${NGX_CONF_FLAGS[@]}" --with-cc=$(CC) \
	    --with-cc-opt="$(MODULE_CC)" --with-ld-opt="$(MODULE_LD)" \
	    --add-dynamic-module=$(CURDIR)' > configure.log 2>&1 \
	    || { tail -20 configure.log >&2; rm -f objs/Makefile; exit 1; }

# nginx's own Makefile has a CFLAGS of its own
$(MODULE) $B/nginx-static/objs/nginx: MAKEOVERRIDES =

$(MODULE): $B/nginx/objs/Makefile $(MODULE_DEPS)
	$(call say,NGX,$@)
	$(Q)$(MAKE) --no-print-directory -s -C $B/nginx -f objs/Makefile modules
	@cp $B/nginx/objs/ngx_http_registry_module.so $@.new
	@mv $@.new $@         # a running nginx keeps the old one

# an nginx of its own with the module linked in: needs a whole source tree
nginx: $B/nginx-static/objs/nginx

$B/nginx-static/objs/nginx: $(MODULE_DEPS)
	@test -e $(NGINX_SRC)/src/core/nginx.c \
	    || { echo "name an unpacked nginx source tree with NGINX_SRC=" >&2; \
	         exit 1; }
	@rm -rf $B/nginx-static && mkdir -p $B/nginx-static
	@cp -r $(NGINX_SRC)/. $B/nginx-static/
	@cd $B/nginx-static && { test -x configure || ln -s auto/configure configure; } \
	    && ./configure --with-threads --with-http_v2_module \
	       --with-http_ssl_module --with-debug --with-cc=$(CC) \
	       --with-cc-opt="$(MODULE_CC)" --with-ld-opt="$(MODULE_LD)" \
	       --add-module=$(CURDIR) > configure.log 2>&1 \
	    || { tail -20 configure.log >&2; exit 1; }
	$(MAKE) --no-print-directory -s -C $B/nginx-static

# ---- running --------------------------------------------------------------

run: build
	@LISTEN='$(LISTEN)' ROOT='$(ROOT)' RUNDIR='$(RUNDIR)' CONFIG='$(CONFIG)' \
	 REDIS='$(REDIS)' OPEN='$(OPEN)' NGINX='$(NGINX)' \
	 WORKER='$(abspath $(WORKER))' MODULE='$(abspath $(MODULE))' \
	 exec sh conf/run.sh

# ---- testing --------------------------------------------------------------

TESTS ?= t $(wildcard t/clients t/protocol)
JOBS  ?= 2

TEST_ENV = REGISTRY_MODULE='$(abspath $(MODULE))' \
           REGISTRY_FCGI='$(abspath $(WORKER))' REGISTRY_NGINX='$(NGINX)' \
           REGISTRY_CTL='$(abspath $(CTL))' \
           REGISTRY_SLOW_OPEN='$(abspath $B/slow_open.so)' \
           CONFORMANCE_DIR='$(abspath $B/conformance)' \
           SAN='$(SAN)' $(if $(filter address,$(SAN)),REGISTRY_PRELOAD='$(shell $(CC) -print-file-name=libasan.so)')

test: build deps-test check $B/slow_open.so
	@rm -rf $B/kept && mkdir -p $B/kept
	@$(TEST_ENV) prove -j$(JOBS) -e 't/kept $B/kept perl -It/lib' $(TESTS) \
	    || { status=$$?; t/kept $B/kept; exit $$status; }

check: lint unit

$B/unit/%: t/unit/%.c $B/libreg.a
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALLC) $(ALLL) -o $@ $< $B/libreg.a -lcmocka $(LIBS_SRC)

unit: $(UNITS)
	@printf '%s\n' $(UNITS) | xargs -P 3 -I{} sh -c '{} > {}.log 2>&1 \
	    && tail -1 {}.log | sed "s|^|$$(basename {}): |" \
	    || { cat {}.log; exit 1; }'

# libFuzzer on what strangers send, with the corpus of each noun as its seeds
FUZZ_TIME ?= 60
FUZZERS   := $(patsubst t/fuzz/%.c,$B/fuzz/%,$(wildcard t/fuzz/*.c))
FUZZ_C    := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
             -fsanitize=fuzzer$(,)address$(,)undefined

$B/fuzz/%: t/fuzz/%.c $(wildcard src/*.[ch])
	@mkdir -p $B/fuzz/$*.found
	$(call say,FUZZ,$<)
	$(Q)clang $(CSTD) $(WARN) $(FUZZ_C) -DREG_VERSION='"$(VERSION)"' -Isrc \
	    -o $@ $< $(filter src/%.c,$^) $(LIBS_SRC) -lpthread

fuzz: $(FUZZERS)
	@for f in $(FUZZERS); do $$f -max_total_time=$(FUZZ_TIME) -max_len=16384 \
	    -timeout=10 -artifact_prefix=$$f- $$f.found \
	    $$(find t/corpus/$${f##*/} -mindepth 1 -type d) || exit 1; done

# the rooms of the design, and that each header stands alone
lint:
	@sh t/lint.sh '$(CC)' '$(CSTD)'

# the official suite; needs Go and a module proxy
conformance: build deps-test
	@$(TEST_ENV) sh t/conformance.sh > /dev/null
	@$(TEST_ENV) prove -v -It/lib t/conformance.t

# clients that are built from Go's module proxy, which takes minutes
test-go: build deps-test
	@$(TEST_ENV) prove -It/lib t/go

# a million tags in a thousand repositories, which takes minutes
test-tags: build deps-test
	@REGISTRY_TAGS=1000000 REGISTRY_REPOSITORIES=1000 REGISTRY_TAGS_MEMORY=64 \
	 $(TEST_ENV) prove -It/lib t/redis_memory.t

bench: build deps-test bench-tags bench-access
	@$(TEST_ENV) t/bench/bench $(BENCH) $(PEERS)

# a small blob for everybody, by password and by token
bench-access: build deps-test
	@$(TEST_ENV) t/bench/access $(if $(filter --quick,$(BENCH)),--quick)

# tags with and without Redis, on trees that are fast and slow to ask
bench-tags: build deps-test $B/slow_open.so
	@$(TEST_ENV) t/bench/tags $(if $(filter --quick,$(BENCH)),--quick)

$B/slow_open.so: t/bench/slow_open.c
	$(call say,CC,$<)
	$(Q)$(CC) -O2 -Wall -Wextra -Werror -fPIC -shared -o $@ $<

# ---- installing -----------------------------------------------------------

# what conf/man.sh makes of --help
MAN := registry-fcgi.8 registryctl.1 config.yml.5

install: build
	sh conf/man.sh $(WORKER) $(CTL) $B/man
	for page in $(MAN); do install -D -m 644 $B/man/$$page \
	    $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page || exit 1; done
	install -D -m 755 $(WORKER) $(DESTDIR)$(PREFIX)/sbin/registry-fcgi
	install -D -m 755 $(CTL) $(DESTDIR)$(PREFIX)/bin/registryctl
	install -D -m 644 $(MODULE) $(DESTDIR)$(PREFIX)/lib/nginx/modules/ngx_http_registry_module.so
	install -D -m 644 conf/registry_params $(DESTDIR)/etc/nginx/registry_params
	for file in ui/*; do install -D -m 644 $$file \
	    $(DESTDIR)$(PREFIX)/share/nginx-registry/$$file || exit 1; done
	install -D -m 644 conf/nginx-registry.service $(DESTDIR)$(PREFIX)/lib/systemd/system/nginx-registry.service
	test -e $(DESTDIR)/etc/nginx-registry/config.yml \
	    || install -D -m 644 conf/config.yml $(DESTDIR)/etc/nginx-registry/config.yml
	test -e $(DESTDIR)/etc/nginx/modules-enabled/50-mod-http-registry.conf \
	    || install -D -m 644 conf/mod-http-registry.conf \
	    $(DESTDIR)/etc/nginx/modules-enabled/50-mod-http-registry.conf

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/registry-fcgi \
	      $(DESTDIR)$(PREFIX)/bin/registryctl \
	      $(DESTDIR)$(PREFIX)/lib/nginx/modules/ngx_http_registry_module.so \
	      $(DESTDIR)$(PREFIX)/lib/systemd/system/nginx-registry.service \
	      $(foreach p,$(MAN),$(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $p))/$p) \
	      $(patsubst %,$(DESTDIR)$(PREFIX)/share/nginx-registry/%,$(wildcard ui/*)) \
	      $(DESTDIR)/etc/nginx/registry_params \
	      $(DESTDIR)/etc/nginx/modules-enabled/50-mod-http-registry.conf

# built from a copy, since debhelper cleans what it builds in
deb:
	@sh conf/deps.sh build debian-nginx package
	@rm -rf $B/deb $B/*.deb && mkdir -p $B/deb/source
	@tar c --exclude='./build*' --exclude=./run --exclude=./data --exclude=./.git . \
	    | tar x -C $B/deb/source
	$(call say,DEB,nginx-registry)
	@cd $B/deb/source && unset MAKEFLAGS MFLAGS MAKELEVEL \
	    && dpkg-buildpackage -us -uc -b > ../build.log 2>&1 \
	    || { tail -20 ../build.log >&2; exit 1; }
	@mv $B/deb/*.deb $B/
	@echo "install it with: apt install ./$$(ls $B/nginx-registry_*.deb)"

clean:
	rm -rf build build-address build-thread

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile | grep -v 'make help'
	@echo "    make deps            installs what is missing (apt; as root or with sudo)"
	@echo "    make build           the module, the worker and registryctl, into build/"
	@echo "    make check           lint and unit tests, under a minute"
	@echo "    make conformance     the official suite of the specification; needs Go"
	@echo "    make bench           speed beside nginx's static files and docker-registry"
	@echo "    make bench-access    a small blob with and without access control"
	@echo "    make bench-tags      manifests by tag, with and without Redis"
	@echo "    make test-tags       memory with a million tags, which takes minutes"
	@echo "    make test-go         crane, oras and helm, built with go install"
	@echo "    make fuzz            FUZZ_TIME=60: libFuzzer on tokens; needs clang"
	@echo "    make deb             a package for this Debian's nginx, into build/"
	@echo "    make install         PREFIX=/usr DESTDIR="
	@echo "    make nginx           NGINX_SRC=DIR: an nginx with the module linked in"
	@echo "    make clean"
	@echo
	@echo "  Variables: LISTEN ROOT RUNDIR CONFIG REDIS OPEN (run), NGINX_SRC NGINX CC"
	@echo "  CFLAGS, SAN=address|thread (build, test), TESTS JOBS (test),"
	@echo "  PEERS BENCH (bench)"

-include $(wildcard $B/src/*.d $B/fcgi/*.d $B/ctl/*.d $B/unit/*.d)
