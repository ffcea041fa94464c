// Answers calls of the vendors' packages for Node, one line of JSON each; see differential_node.py.
// The argument is the directory in which the packages are installed.
"use strict";
const { createRequire } = require("node:module");
const { resolve } = require("node:path");
const { createInterface } = require("node:readline");

const load = createRequire(resolve(process.argv[2], "package.json"));
const contentful = load("@contentful/node-apps-toolkit/requests");
const hygraph = load("@hygraph/utils");

const calls = {
  "contentful.sign": (it) => contentful.signRequest(it.secret, it.request, it.now),
  "contentful.verify": (it) => contentful.verifyRequest(it.secret, it.request),
  "hygraph.sign": hygraph.generateWebhookSignature,
  "hygraph.verify": hygraph.verifyWebhookSignature,
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const { call, now, ...fields } = JSON.parse(line);
  // The packages have no parameter for the clock.
  Date.now = () => now;
  let answer;
  try {
    answer = { value: calls[call]({ now, ...fields }) };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
