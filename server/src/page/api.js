// Talking to the server: its own URLs, the token, and what it says when it refuses.

let base = "";
let path = "";
let token = "";

/** The FHIR base as clients see it, and where it lies on the server that this page came from. */
export function setBase(publicBase, localPath) {
  base = publicBase.replace(/\/$/, "");
  path = localPath.replace(/\/$/, "");
}
export const fhirBase = () => base;
export const setToken = (text) => (token = text.trim());
export const hasToken = () => token !== "";

/** A URL under the public base as one of this page's own origin: behind a proxy, and on the server itself. */
export const local = (url) => (url.startsWith(`${base}/`) ? path + url.slice(base.length) : url);

/** What an OperationOutcome says, or anything else that came instead. */
export class Refused extends Error {
  constructor(status, issues) {
    super(issues.map((issue) => issue.diagnostics).join("\n"));
    this.status = status;
    this.issues = issues;
  }
}

/** Asks; gives the response, or throws what was refused. */
export async function ask(url, options = {}) {
  const headers = { Accept: "application/fhir+json", ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(local(url), { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, [{ diagnostics: "The server does not answer." }]);
  }
  if (response.ok) return response;
  const outcome = await response.json().catch(() => null);
  const issues = (outcome?.issue ?? []).filter((issue) => issue.diagnostics);
  throw new Refused(response.status, issues.length ? issues : [{ diagnostics: `The server answered ${response.status}.` }]);
}

export const askJson = async (url, options) => (await ask(url, options)).json();

/** Fetches a file with the token, and hands it to the browser to save. */
export async function save(url, name) {
  const response = await ask(url, { headers: { Accept: "application/fhir+ndjson" } });
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
