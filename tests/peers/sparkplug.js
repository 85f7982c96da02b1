// Lines of JSON in, lines of JSON out: {"encode": payload} gives {"bytes": base64}, {"decode": base64} the payload.
"use strict";
const readline = require("node:readline");
const sparkplug = require("sparkplug-payload").get("spBv1.0");

const plain = (_key, value) => (value && typeof value.toNumber === "function" ? value.toNumber() : value);

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const asked = JSON.parse(line);
  const answer = asked.encode
    ? { bytes: Buffer.from(sparkplug.encodePayload(asked.encode)).toString("base64") }
    : sparkplug.decodePayload(Buffer.from(asked.decode, "base64"));
  console.log(JSON.stringify(answer, plain));
});
