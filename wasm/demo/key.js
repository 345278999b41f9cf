// A private key that somebody pastes: a JWK, or a set with one.

/** The key, or what is wrong with it; never a part of it in words. */
export function readKey(text) {
  if (text === "") return { fault: "A private key is needed." };
  let read;
  try {
    read = JSON.parse(text);
  } catch {
    return { fault: "This is no JWK: not JSON. PEM has to be converted." };
  }
  const keys = Array.isArray(read?.keys) ? read.keys : [read];
  const isKey = (key) => typeof key === "object" && key !== null && typeof key.kty === "string";
  if (!keys.some(isKey)) return { fault: "This is no JWK: there is no “kty”." };
  const key = keys.find((key) => isKey(key) && typeof key.d === "string");
  return key ? { key } : { fault: "This is the public key. The private one is needed to sign; it stays here." };
}
