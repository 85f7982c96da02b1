// A Modbus server on modbus-serial, with the values of the table in test_modbus_peers.py put there by its own means.
//
//   node modbus.js tcp PORT       units 1 and 2 on that port of 127.0.0.1; says "ready PORT"
//   node modbus.js rtu PORT UNIT  one unit on a serial line; says "ready 0"
//
// After each write it says what it holds now: "UNIT TABLE FIRST value".
"use strict";
const modbus = require("modbus-serial");

const ILLEGAL_ADDRESS = { modbusErrorCode: 2, message: "illegal data address" };

function machine(unit) {
  const words = Buffer.alloc(2 * 1200);
  words.writeUInt16BE(2300 + unit, 0);
  words.writeInt16BE(-5, 2);
  words.writeUInt32BE(70000, 4);
  words.writeUInt32LE(3000000000, 8);
  words.subarray(8, 12).swap16();
  words.writeFloatBE(230.25, 12);
  words.writeFloatLE(-0.15625, 16);
  words.subarray(16, 20).swap16();
  words.write("PUMP-7/B", 20, "ascii");
  words.writeInt32BE(-70000, 28);
  for (let place = 0; place < 125; place++) words.writeUInt16BE((place * 523 + unit) & 0xffff, 2 * (1000 + place));
  const inputs = Buffer.alloc(2 * 16);
  inputs.writeUInt16BE(40000 + unit, 0);
  inputs.writeInt16BE(-32768, 2);
  const coils = new Array(4200).fill(false);
  coils[0] = coils[9] = true;
  for (let place = 0; place < 2000; place++) coils[2000 + place] = place % 3 === unit % 3;
  const bits = new Array(16).fill(false);
  bits[3] = true;
  return { words, inputs, coils, bits };
}

const held = { 1: machine(1), 2: machine(2) };

function word(buffer, address) {
  if (2 * address + 2 > buffer.length) throw ILLEGAL_ADDRESS;
  return buffer.readUInt16BE(2 * address);
}

function bit(list, address) {
  if (address >= list.length) throw ILLEGAL_ADDRESS;
  return list[address];
}

const vector = {
  getHoldingRegister: (address, unit) => word(held[unit].words, address),
  getInputRegister: (address, unit) => word(held[unit].inputs, address),
  getCoil: (address, unit) => bit(held[unit].coils, address),
  getDiscreteInput: (address, unit) => bit(held[unit].bits, address),
  setRegister: (address, value, unit) => {
    word(held[unit].words, address);
    held[unit].words.writeUInt16BE(value, 2 * address);
    console.log(`${unit} holding ${address} ${held[unit].words.readUInt16BE(2 * address)}`);
  },
  setCoil: (address, value, unit) => {
    bit(held[unit].coils, address);
    held[unit].coils[address] = value;
    console.log(`${unit} coil ${address} ${Number(held[unit].coils[address])}`);
  },
};

let server;
const [kind, port, unit] = process.argv.slice(2);
if (kind === "tcp") {
  server = new modbus.ServerTCP(vector, { host: "127.0.0.1", port: Number(port), unitID: 255 });
  server.on("initialized", () => console.log(`ready ${port}`));
} else {
  const options = { port, baudRate: 19200, unitID: Number(unit), interval: 5 };
  server = new modbus.ServerSerial(vector, options, { parity: "none" });
  server.on("initialized", () => console.log("ready 0"));
}
// a frame for another unit or with a wrong checksum is an error here, and without a listener the end
server.on("error", () => {});
