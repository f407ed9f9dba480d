// Asking the controller. The key stays in this tab, and goes nowhere but to this controller.

const KEY = "podium-key";
const PATIENCE_MS = 5000;

/** What the controller answered when it refused; `status` is 0 when it did not answer at all. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const key = () => sessionStorage.getItem(KEY);
export const useKey = (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY));

/** The JSON at `path`. Throws `Refused`. */
export const ask = (path) => send("GET", path);

/** The same for a decision, which takes as long as the gateway takes to confirm it. */
export const tell = (path, body) => send("POST", path, body, 30000);

async function send(method, path, body, patience = PATIENCE_MS) {
  const headers = { accept: "application/json" };
  if (key()) headers.authorization = `Bearer ${key()}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store", signal: AbortSignal.timeout(patience) });
  } catch {
    throw new Refused(0, "The controller does not answer. The gateway goes on without it.");
  }
  const told = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, told?.error?.message ?? `The controller answered ${answer.status}.`);
  if (told === null) throw new Refused(0, "The controller's answer broke off, or is none of its own.");
  return told;
}
