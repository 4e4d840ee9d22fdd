// Loaded by every test and by every process that a test starts: a password is derived in no time, where the registry takes
// a quarter of a second of processor on purpose. What is asked of scrypt, and what is stored, stay the same;
// test/auth/logins.test.ts looks at the cost that is asked for, and test/cli/serve.test.ts logs in at that cost.
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

const { scrypt } = crypto;
crypto.scrypt = (password, salt, length, _cost, done) => scrypt(password, salt, length, { N: 2 }, done);
syncBuiltinESMExports();
