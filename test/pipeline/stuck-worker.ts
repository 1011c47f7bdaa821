/** A worker for watchdog.test.ts that stops turning. */
function turnsNoMore(forMs: number): void {
  for (const end = Date.now() + forMs; Date.now() < end;);
}

setTimeout(() => turnsNoMore(60_000), 1)
