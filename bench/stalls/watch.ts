// Loaded into the registry before its own modules: it measures how long each turn of its event loop takes, and tells it on
// a port of its own. What it costs is a timer of a millisecond.
import { createServer } from 'node:http';

const TICK_MS = 1;

const longest = { wallMs: 0, processorMs: 0 };
let [last, used] = [performance.now(), processorMs()];

setInterval(() => {
  const [now, usedNow] = [performance.now(), processorMs()];
  longest.wallMs = Math.max(longest.wallMs, now - last - TICK_MS);
  longest.processorMs = Math.max(longest.processorMs, usedNow - used);
  [last, used] = [now, usedNow];
}, TICK_MS).unref();

/** Of this thread. */
function processorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Answers the longest turn since it was asked last. */
createServer((_, response) => {
  response.end(JSON.stringify(longest));
  [longest.wallMs, longest.processorMs] = [0, 0];
})
  .listen(Number(process.env['BENCH_WATCH_PORT']), '127.0.0.1')
  .unref();
