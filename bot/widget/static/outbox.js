// What is to be sent: kept in memory, held back a moment so that it can be undone, retried under the same
// Idempotency-Key until the server has it. Knows neither the page nor what the letters say.
//
// `send(letter, leaving)` gives "sent", "later" (try again), "expired" (no access, stop until `wake`) or "refused".
// `changed(count, outcome)` is told whenever the number of letters or the state of the way changes.
export class Outbox {
  constructor(send, changed, grace = 5000) {
    Object.assign(this, { send, changed, grace, letters: [], busy: false, stopped: false, wait: 1000, timer: 0 });
    addEventListener("online", () => this.wake());
    addEventListener("pagehide", () => this.letters.forEach((one) => this.send(one, true).catch(() => {})));
  }

  // A letter of the same name that has not left yet is replaced: the last word counts.
  put(name, path, body) {
    this.drop(this.held(name));
    this.letters.push({ name, path, body, key: freshKey(), due: Date.now() + this.grace, left: false });
    this.plan();
    this.changed(this.letters.length, "");
  }

  // The letter of this name, if it can still be taken back. One that was ever tried may have arrived.
  held(name) {
    return this.letters.find((one) => one.name === name && !one.left);
  }

  // Take it back; whoever does tells people.
  take(name) {
    const found = this.held(name);
    this.drop(found);
    return Boolean(found);
  }

  drop(letter) {
    this.letters = this.letters.filter((one) => one !== letter);
  }

  // Try at once, whatever went wrong before.
  wake() {
    [this.wait, this.stopped] = [1000, false];
    this.plan();
  }

  plan(pause = 0) {
    clearTimeout(this.timer);
    if (this.busy || this.stopped || !this.letters.length) return;
    const due = Math.min(...this.letters.map((one) => one.due)) - Date.now();
    this.timer = setTimeout(() => this.run(), Math.max(pause, due, 0));
  }

  async run() {
    const one = this.letters.find((each) => each.due <= Date.now());
    if (!one) return this.plan();
    this.busy = one.left = true;
    const outcome = await this.send(one, false).catch(() => "later");
    this.busy = false;
    if (outcome === "later") {
      this.changed(this.letters.length, outcome);
      this.plan(this.wait);
      this.wait = Math.min(this.wait * 2, 30000);
      return;
    }
    if (outcome === "expired") this.stopped = true;
    else this.drop(one);
    this.wait = 1000;
    this.changed(this.letters.length, outcome);
    this.plan();
  }
}

// A new Idempotency-Key. `crypto.randomUUID` is missing where a help desk or the API is reached over plain HTTP.
export function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
