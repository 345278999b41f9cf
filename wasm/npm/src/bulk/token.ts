// Tokens: the application's business, and SMART Backend Services for those who have a key at hand.

import { FhirehoseError, wrongArgument } from "../errors.js";
import { base64 } from "./base64.js";

/** A token, and for how many seconds it holds. */
export interface Token {
  readonly token: string;
  readonly expiresIn?: number;
}

/** Gives a token; asked again before one ends, or when one is refused. What it throws ends the client, unless its `again` is true. */
export type TokenSource = (signal: AbortSignal) => Promise<string | Token>;

export interface BackendServices {
  /** FHIR base of the server; its `.well-known/smart-configuration` names the token endpoint. */
  base: string;
  clientId: string;
  /** A private key that need not be extractable (RS384: RSASSA-PKCS1-v1_5 with SHA-384; ES384: ECDSA on P-384), or a JWK. */
  key: CryptoKey | JsonWebKey;
  /** The key's `kid`; a JWK may hold it. */
  keyId?: string;
  /** Default: `system/*.rs`. */
  scope?: string;
  /** The token endpoint, where the server does not say. */
  tokenUrl?: string;
  fetch?: typeof globalThis.fetch;
}

/** Lifetime of an assertion; the standard allows five minutes. */
const ASSERTION = 240;
const JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

type Failure = FhirehoseError & { again?: boolean };

/** Tokens of SMART Backend Services: a signed assertion for a token. The key stays where it is, and the token in memory. */
export function backendServices(options: BackendServices): TokenSource {
  const { base, clientId, scope = "system/*.rs", fetch = globalThis.fetch } = options;
  if (typeof base !== "string" || typeof clientId !== "string") throw wrongArgument("backendServices takes base, clientId and key");
  let key: Promise<Signer> | undefined;
  let endpoint = options.tokenUrl;
  return async (signal) => {
    const signer = await (key ??= signerOf(options));
    endpoint ??= await discovered(fetch, base, signal);
    refuseUnsafe(endpoint);
    const assertion = await signer.sign({
      iss: clientId,
      sub: clientId,
      aud: endpoint,
      exp: Math.floor(Date.now() / 1000) + ASSERTION,
      jti: crypto.randomUUID(),
    });
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      scope,
      client_assertion_type: JWT_BEARER,
      client_assertion: assertion,
    });
    return asked(fetch, endpoint, form, signal);
  };
}

async function asked(fetch: typeof globalThis.fetch, endpoint: string, form: URLSearchParams, signal: AbortSignal): Promise<Token> {
  const response = await sent(fetch, endpoint, { method: "POST", body: form, headers: { Accept: "application/json" }, signal });
  const answer = (await response.json().catch(() => ({}))) as { access_token?: unknown; expires_in?: unknown; error?: unknown } | null;
  if (response.status === 200 && typeof answer?.access_token === "string") {
    const expiresIn = Number(answer.expires_in ?? Number.NaN);
    return Number.isFinite(expiresIn) ? { token: answer.access_token, expiresIn } : { token: answer.access_token };
  }
  // The error's name only: its description may repeat what was sent.
  const name = typeof answer?.error === "string" && /^[a-z_]{1,40}$/.test(answer.error) ? `: ${answer.error}` : "";
  throw failure(`the token endpoint answers ${response.status}${name}`, response.status === 429 || response.status >= 500);
}

async function discovered(fetch: typeof globalThis.fetch, base: string, signal: AbortSignal): Promise<string> {
  const url = `${base.replace(/\/+$/, "")}/.well-known/smart-configuration`;
  const response = await sent(fetch, url, { headers: { Accept: "application/json" }, signal });
  const found = response.ok ? ((await response.json().catch(() => ({}))) as { token_endpoint?: unknown } | null) : null;
  if (typeof found?.token_endpoint === "string") return found.token_endpoint;
  throw failure(`the server does not say where its token endpoint is (status ${response.status})`, response.status >= 500);
}

async function sent(fetch: typeof globalThis.fetch, url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer", redirect: "error" });
  } catch (error) {
    if (init.signal?.aborted === true) throw init.signal.reason;
    throw failure("the token endpoint, or what says where it is, does not answer", true, error);
  }
}

function failure(message: string, again: boolean, cause?: unknown): Failure {
  return Object.assign(new FhirehoseError("token", message, [], cause === undefined ? undefined : { cause }), { again });
}

/** An assertion goes over `https`, or stays on this machine. */
function refuseUnsafe(endpoint: string): void {
  const { protocol, hostname } = new URL(endpoint);
  const isHere = hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  if (protocol !== "https:" && !isHere) throw failure("the token endpoint is not https", false);
}

interface Signer {
  sign(claims: object): Promise<string>;
}

async function signerOf({ key, keyId }: BackendServices): Promise<Signer> {
  const isKey = typeof CryptoKey === "function" && key instanceof CryptoKey;
  const kid = keyId ?? (isKey ? undefined : (key as { kid?: string }).kid);
  const held = isKey ? (key as CryptoKey) : await imported(key as JsonWebKey);
  const { name } = held.algorithm;
  const isElliptic = name === "ECDSA";
  if (isElliptic ? (held.algorithm as EcKeyAlgorithm).namedCurve !== "P-384" : name !== "RSASSA-PKCS1-v1_5") {
    throw wrongArgument("a key for RS384 or ES384 is expected");
  }
  const header = { alg: isElliptic ? "ES384" : "RS384", typ: "JWT", ...(kid === undefined ? {} : { kid }) };
  return {
    async sign(claims) {
      const text = `${encoded(JSON.stringify(header))}.${encoded(JSON.stringify(claims))}`;
      const how = isElliptic ? { name, hash: "SHA-384" } : { name };
      const signature = await crypto.subtle.sign(how, held, new TextEncoder().encode(text));
      return `${text}.${forUrls(new Uint8Array(signature))}`;
    },
  };
}

async function imported(jwk: JsonWebKey): Promise<CryptoKey> {
  const how = jwk?.kty === "EC" ? { name: "ECDSA", namedCurve: "P-384" } : { name: "RSASSA-PKCS1-v1_5", hash: "SHA-384" };
  // Members that say what the key is for may contradict what it is used for here.
  const { key_ops: _operations, use: _use, alg: _algorithm, ext: _extractable, ...plain } = jwk ?? {};
  try {
    return await crypto.subtle.importKey("jwk", plain, how, false, ["sign"]);
  } catch {
    // What the engine says may repeat parts of the key.
    throw wrongArgument("the key is no private JWK for RS384 or ES384");
  }
}

function encoded(text: string): string {
  return forUrls(new TextEncoder().encode(text));
}

/** As JSON Web Tokens have it. */
function forUrls(bytes: Uint8Array): string {
  return base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
