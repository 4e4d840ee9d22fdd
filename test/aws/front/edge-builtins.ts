// What functions find built in, and nothing else: the rest of what Node knows is taken away before they run.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html, and charCodeAt,
// which that page forgets and the examples of AWS use.

/** Names of globals of the language. */
export const GLOBALS = words(`
  globalThis NaN Infinity undefined decodeURI decodeURIComponent encodeURI encodeURIComponent isFinite isNaN
  parseFloat parseInt Object String Number Boolean Function Math Date RegExp JSON Array Promise Symbol ArrayBuffer
  DataView Float32Array Float64Array Int8Array Int16Array Int32Array Uint8Array Uint8ClampedArray Uint16Array
  Uint32Array Error EvalError RangeError ReferenceError SyntaxError TypeError URIError`);

/** Of an object named on the left, the members that are there, besides what every function and prototype has. */
export const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  Object:
    words(`create defineProperties defineProperty freeze getOwnPropertyDescriptor getOwnPropertyDescriptors
    getOwnPropertyNames getPrototypeOf isExtensible isFrozen isSealed keys preventExtensions seal assign entries
    values`),
  String: words('fromCharCode fromCodePoint'),
  'String.prototype':
    words(`charAt concat indexOf lastIndexOf match replace search slice split substr substring
    toLowerCase trim toUpperCase charCodeAt codePointAt endsWith includes repeat startsWith padStart padEnd trimStart trimEnd
    replaceAll`),
  Array: words('isArray of'),
  'Array.prototype':
    words(`concat every filter forEach indexOf join lastIndexOf map pop push reduce reduceRight
    reverse shift slice some sort splice unshift copyWithin fill find findIndex includes`),
  'Function.prototype': words('apply bind call'),
  'RegExp.prototype': words('global ignoreCase multiline source sticky flags exec test'),
  JSON: words('parse stringify'),
  Promise: words('all allSettled any reject resolve race'),
  'Promise.prototype': words('catch finally then'),
  Number: words(`EPSILON MAX_SAFE_INTEGER MIN_SAFE_INTEGER MAX_VALUE MIN_VALUE NaN NEGATIVE_INFINITY
    POSITIVE_INFINITY isFinite isInteger isNaN isSafeInteger parseInt parseFloat`),
  'Number.prototype': words('toExponential toFixed toPrecision'),
};

/** What every function and prototype has. */
export const COMMON = words('constructor prototype length name toString valueOf lastIndex');

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
