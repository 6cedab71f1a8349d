build-thread/src/reg_config_key.o: src/reg_config_key.c \
 src/reg_config_key.h src/reg_config.h src/reg_error.h src/reg_str.h \
 src/banned.h
src/reg_config_key.h:
src/reg_config.h:
src/reg_error.h:
src/reg_str.h:
src/banned.h:
