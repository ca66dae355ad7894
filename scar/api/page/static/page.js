// Keeps a screen live. The server sends finished HTML over one event stream, and htmx puts it where
// it belongs. Without this file every screen can be read, and every form sent.
"use strict";

(() => {
  const RETRY_MS = [1000, 2000, 5000, 10000, 30000];
  const SILENT_MS = 20000; // the server says something every five seconds
  const SLEPT_MS = 5000;
  const MOST_LINES = 2000;
  const LAST_WORDS = ["end", "gone"];

  // An EventSource that goes on after the last event it has seen. A browser's own gives up when a
  // server refuses it once, and a phone that slept may hold a dead connection without knowing.
  class LiveSource extends EventTarget {
    #url;
    #source = null;
    #names = new Set(["beat", ...LAST_WORDS]);
    #last = "";
    #failures = 0;
    #heard = 0;
    #hidden = 0;
    #timer = 0;
    #closed = false;

    constructor(url) {
      super();
      this.#url = new URL(url, location.href);
      document.addEventListener("visibilitychange", this.#onVisibility);
      window.addEventListener("pageshow", this.#onPageShow);
      window.addEventListener("online", this.#reopen);
      setInterval(this.#watch, 5000);
      this.#reopen();
    }

    get readyState() {
      return this.#closed ? EventSource.CLOSED : EventSource.OPEN;
    }

    addEventListener(name, listener) {
      super.addEventListener(name, listener);
      if (!this.#names.has(name)) {
        this.#names.add(name);
        this.#source?.addEventListener(name, this.#forward);
      }
    }

    close() {
      this.#closed = true;
      clearTimeout(this.#timer);
      this.#source?.close();
    }

    #reopen = () => {
      if (this.#closed) return;
      clearTimeout(this.#timer);
      this.#source?.close();
      if (this.#last) this.#url.searchParams.set("after", this.#last);
      this.#heard = Date.now();
      const source = new EventSource(this.#url);
      this.#source = source;
      for (const name of this.#names) source.addEventListener(name, this.#forward);
      source.onopen = () => {
        this.#failures = 0;
        this.#heard = Date.now();
        show("");
        this.onopen?.(new Event("open"));
      };
      source.onerror = () => this.#failed(source);
    };

    #failed(source) {
      if (source !== this.#source || this.#closed) return;
      show("Not live: connecting again…");
      if (source.readyState === EventSource.CLOSED) {
        const wait = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)];
        clearTimeout(this.#timer);
        this.#timer = setTimeout(this.#reopen, wait);
      }
    }

    #forward = (event) => {
      if (event.target !== this.#source) return;
      this.#heard = Date.now();
      if (event.lastEventId) this.#last = event.lastEventId;
      this.dispatchEvent(new MessageEvent(event.type, { data: event.data }));
      if (LAST_WORDS.includes(event.type)) this.close();
    };

    #onVisibility = () => {
      if (document.hidden) this.#hidden = Date.now();
      else if (Date.now() - this.#hidden > SLEPT_MS) this.#reopen();
    };

    #onPageShow = (event) => {
      if (event.persisted) this.#reopen();
    };

    #watch = () => {
      if (!document.hidden && Date.now() - this.#heard > SILENT_MS) this.#reopen();
    };
  }

  function show(text) {
    const place = document.getElementById("connection");
    if (place && place.textContent !== text) place.textContent = text;
  }

  function trim(event) {
    const lines = event.target;
    if (lines.id !== "output-lines") return;
    while (lines.childElementCount > MOST_LINES) lines.firstElementChild.remove();
  }

  // A Mini App has what signs its user in behind the `#` of its address, which no server is sent.
  // Anybody can make such an address, with their own data in it: whoever is to be signed in sees
  // as whom, and taps.
  function offerTelegram() {
    const form = document.getElementById("telegram");
    const initData = new URLSearchParams(location.hash.slice(1)).get("tgWebAppData");
    if (!form || !initData) return;
    form.elements.init_data.value = initData;
    history.replaceState(null, "", location.pathname);
    document.getElementById("telegram-name").textContent = nameIn(initData);
    document.getElementById("not-telegram").hidden = true;
    form.hidden = false;
  }

  function nameIn(initData) {
    try {
      const user = JSON.parse(new URLSearchParams(initData).get("user"));
      const names = [user.first_name, user.last_name].filter(Boolean).join(" ");
      return `${names} (telegram:${user.id})`;
    } catch {
      return "somebody";
    }
  }

  if (window.htmx) htmx.createEventSource = (url) => new LiveSource(url);
  document.addEventListener("htmx:sseMessage", trim);
  offerTelegram();
})();
