// @ts-check
// What is shown stays as it is in Chancery: the stream of events says when to ask again. Events are summed up for each frame,
// so many cost what one does, and a tab that nobody sees listens to nothing.
import { batch, effect, signal, useEffect, useRef, useState } from "../vendor/preact.js";
import { Away, ask, away, back, epoch, follow, keyAsked, lost, status } from "./api.js";
import { t } from "./words.js";

/** Counts what was published, and what proxies answered. */
export const published = signal(0);
export const answered = signal(0);
/** Who wants each event by itself. */
const listeners = /** @type {Set<(events: any[]) => void>} */ (new Set());
/** Events that came since the last frame; of more only the newest are shown. */
let fresh = /** @type {any[]} */ ([]);
const KEPT = 1000;
/** Between two questions of the same kind, in ms: each is at least so late. */
const PAUSE = 300;
/** Events that come together are one. */
const MOMENT = 30;
/** What no event tells of is asked for so often, in ms. */
const ROUND = 4000;
const AGAIN = 1000;

function told(event) {
  if (fresh.length === 0) requestAnimationFrame(pass);
  fresh.push(event);
  if (fresh.length > 2 * KEPT) fresh = [...fresh.slice(-KEPT)];
}

function pass() {
  const events = fresh;
  fresh = [];
  batch(() => {
    if (events.some((event) => event.published || event.written || event.missed)) published.value += 1;
    if (events.some((event) => event.answer || event.missed)) answered.value += 1;
  });
  for (const listener of listeners) listener(events.slice(-KEPT));
}

/** @param {number} ms */
const rest = (ms) => new Promise((over) => setTimeout(over, ms));

/** Listens as long as somebody looks. */
export function listen() {
  let ends = new AbortController();
  let first = true;
  const run = async () => {
    const mine = (ends = new AbortController());
    while (!mine.signal.aborted) {
      let pause = AGAIN;
      try {
        await follow("GET /v1/events", {}, mine.signal, told, () => {
          back();
          if (!first) epoch.value += 1;
          first = false;
        });
        // It ends with Chancery.
        if (!mine.signal.aborted) lost(t("away.gone"));
      } catch (error) {
        if (mine.signal.aborted) return;
        if (error instanceof Away) lost(error.message);
        else pause = 5 * AGAIN;
      }
      await rest(pause);
    }
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) ends.abort();
    else run();
  });
  if (!document.hidden) run();
  const look = async () => {
    try {
      status.value = await ask("GET /v1/status", {}, { within: 3000 });
    } catch {
      // The banner says so already.
    }
  };
  effect(() => {
    epoch.value;
    look();
  });
  let last = 0;
  setInterval(() => {
    if (document.hidden || keyAsked.value || (!away.value && Date.now() - last < ROUND)) return;
    last = Date.now();
    look();
  }, AGAIN);
}

/** @param {(events: any[]) => void} listener */
export function useEvents(listener) {
  const newest = useRef(listener);
  newest.current = listener;
  useEffect(() => {
    const hear = (events) => newest.current(events);
    listeners.add(hear);
    return () => void listeners.delete(hear);
  }, []);
}

/**
 * What `load` answers, asked again when something may have changed. What was there stays while it is asked for.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {any[]} of what it depends on
 * @param {{still?: boolean, keeps?: boolean}} [how] `still`: asked for once; `keeps`: what was there stays while something else is asked for
 * @returns {{data: T | undefined, error: Error | undefined, late: boolean, again: () => void}}
 */
export function useLoad(load, of, how = {}) {
  const [state, set] = useState(/** @type {any} */ ({}));
  const newest = useRef(load);
  newest.current = load;
  const again = useRef(() => {});
  useEffect(() => {
    set((before) => ({ data: how.keeps ? before.data : undefined, late: false }));
    const ends = new AbortController();
    let running = false;
    let wanted = false;
    let [took, ended] = [0, 0];
    let timer = 0;
    const late = setTimeout(() => set((it) => (it.data || it.error ? it : { ...it, late: true })), 300);
    const run = async () => {
      if (running) return void (wanted = true);
      running = true;
      wanted = false;
      const began = performance.now();
      try {
        const data = await newest.current(ends.signal);
        if (!ends.signal.aborted) set({ data, late: false });
      } catch (error) {
        // What Chancery does not answer stays as it was, and the banner says that it is old.
        if (!ends.signal.aborted) set((it) => ({ ...it, late: false, error: error instanceof Away && it.data ? undefined : error }));
      }
      ended = performance.now();
      took = ended - began;
      running = false;
      if (wanted && !ends.signal.aborted) soon();
    };
    const soon = () => {
      if (timer) return;
      timer = window.setTimeout(() => {
        timer = 0;
        run();
      }, Math.max(MOMENT, ended + Math.max(PAUSE, 4 * took) - performance.now()));
    };
    again.current = run;
    run();
    const stops = how.still
      ? []
      : [published, answered, epoch].map((one) => {
          let known = one.peek();
          return one.subscribe((value) => {
            if (value === known) return;
            known = value;
            soon();
          });
        });
    const round = how.still ? 0 : setInterval(() => !document.hidden && !away.value && !keyAsked.value && soon(), ROUND);
    return () => {
      ends.abort();
      clearTimeout(late);
      clearTimeout(timer);
      clearInterval(round);
      for (const stop of stops) stop();
    };
  }, of);
  return { ...state, again: () => again.current() };
}

/** Counts every second, for what is told as a time that passes. */
export const now = signal(Date.now());
setInterval(() => !document.hidden && (now.value = Date.now()), 1000);
