// Prints what Amazon's validator says about each message of a file of vectors, as JSON; see
// official_validators.py. The arguments are the directory of the packages and the file.
"use strict";
const { EventEmitter } = require("node:events");
const { readFileSync } = require("node:fs");
const https = require("node:https");
const { createRequire } = require("node:module");
const { resolve } = require("node:path");

const load = createRequire(resolve(process.argv[2], "package.json"));
const vectors = JSON.parse(readFileSync(process.argv[3], "utf8"));

function validate({ body, secret }) {
  // The validator keeps certificates by their URL, which the vectors share.
  delete load.cache[load.resolve("sns-validator")];
  const Validator = load("sns-validator");
  https.get = (url, answer) => {
    const response = Object.assign(new EventEmitter(), { statusCode: 200 });
    answer(response);
    response.emit("data", Buffer.from(secret));
    response.emit("end");
    return new EventEmitter();
  };
  return new Promise((done) => {
    try {
      new Validator().validate(body, (error) => done(error ? String(error) : null));
    } catch (error) {
      done(String(error));
    }
  });
}

Promise.all(vectors.map(validate)).then((errors) => console.log(JSON.stringify(errors)));
