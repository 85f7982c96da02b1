/* A Modbus server on libmodbus, with the values of the table in test_modbus_peers.py put there by its own means.

   libmodbus tcp            units 1 and 2 on a free port of 127.0.0.1; says "ready PORT"
   libmodbus rtu PORT UNIT  one unit on a serial line; says "ready 0"

   After each write it says what it holds now: "UNIT TABLE FIRST value value ...". */

#include <arpa/inet.h>
#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNITS = 2, COILS = 4200, BITS = 16, WORDS = 1200, INPUTS = 16 };

static void set_int32(uint16_t *words, int64_t value)
{
    MODBUS_SET_INT32_TO_INT16(words, 0, value);
}

static void swapped(uint16_t *words)
{
    uint16_t first = words[0];
    words[0] = words[1];
    words[1] = first;
}

static modbus_mapping_t *machine(int unit)
{
    static const char name[] = "PUMP-7/B";
    modbus_mapping_t *held = modbus_mapping_new(COILS, BITS, WORDS, INPUTS);
    uint16_t *words = held->tab_registers;

    words[0] = 2300 + unit;
    words[1] = (uint16_t)-5;
    set_int32(words + 2, 70000);
    set_int32(words + 4, 3000000000);
    swapped(words + 4);
    /* this one puts the low word first in every version; what _abcd and the like mean has changed */
    modbus_set_float(230.25f, words + 6);
    swapped(words + 6);
    modbus_set_float(-0.15625f, words + 8);
    for (int place = 0; place < 4; place++)
        words[10 + place] = (uint16_t)(name[2 * place] << 8 | name[2 * place + 1]);
    set_int32(words + 14, -70000);
    for (int place = 0; place < 125; place++)
        words[1000 + place] = (uint16_t)(place * 523 + unit);
    held->tab_input_registers[0] = 40000 + unit;
    held->tab_input_registers[1] = 0x8000;
    held->tab_bits[0] = held->tab_bits[9] = 1;
    for (int place = 0; place < 2000; place++)
        held->tab_bits[2000 + place] = place % 3 == unit % 3;
    held->tab_input_bits[3] = 1;
    return held;
}

static void tell(const uint8_t *pdu, const modbus_mapping_t *held, int unit)
{
    int function = pdu[0], first = pdu[1] << 8 | pdu[2], count = pdu[3] << 8 | pdu[4];

    if (function != 5 && function != 6 && function != 15 && function != 16)
        return;
    if (function < 15)
        count = 1;
    int bits = function == 5 || function == 15;
    if (first + count > (bits ? COILS : WORDS))
        return;
    printf("%d %s %d", unit, bits ? "coil" : "holding", first);
    for (int place = first; place < first + count; place++)
        printf(" %d", bits ? held->tab_bits[place] : held->tab_registers[place]);
    printf("\n");
}

static void serve(modbus_t *line, modbus_mapping_t **held)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    int header = modbus_get_header_length(line), length;

    while ((length = modbus_receive(line, request)) >= 0) {
        int unit = request[header - 1];
        if (length == 0 || unit < 1 || unit > UNITS)
            continue; /* nobody is there: no answer */
        modbus_reply(line, request, length, held[unit]);
        tell(request + header, held[unit], unit);
    }
}

int main(int argc, char **argv)
{
    modbus_mapping_t *held[UNITS + 1] = {NULL, machine(1), machine(2)};
    modbus_t *line;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2) {
        struct sockaddr_in place;
        socklen_t size = sizeof place;
        line = modbus_new_tcp("127.0.0.1", 0);
        int listening = modbus_tcp_listen(line, 1);
        if (listening < 0 || getsockname(listening, (struct sockaddr *)&place, &size) < 0)
            return 1;
        printf("ready %d\n", ntohs(place.sin_port));
        for (;;) {
            modbus_tcp_accept(line, &listening);
            serve(line, held);
            close(modbus_get_socket(line));
        }
    }
    if (argc != 4)
        return 2;
    line = modbus_new_rtu(argv[2], 19200, 'N', 8, 1);
    modbus_set_slave(line, atoi(argv[3]));
    if (modbus_connect(line) < 0) {
        fprintf(stderr, "%s\n", modbus_strerror(errno));
        return 1;
    }
    printf("ready 0\n");
    for (;;)
        serve(line, held); /* a frame that is none is no end */
}
