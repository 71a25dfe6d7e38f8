/* The payment page in motion: countdown, copying, looking for news, and talking to the page that opened it.
   Everything here is comfort; without it the forms and links do the same. */
(function () {
  "use strict";

  var POLL_MS = 2000;
  var connected = false;
  var unsent = null; // a word spoken before the host was heard
  document.documentElement.classList.add("js");

  function facts() { return document.body.dataset; }

  function framed() {
    return facts().mode !== "redirect" && Boolean(facts().origin) && window.parent !== window;
  }

  function tell(message) {
    if (!framed()) { return; }
    if (!connected) { unsent = message; return; }
    window.parent.postMessage(message, facts().origin);
  }

  function leave(closed) {
    if (!facts().result) { tell({ type: "snap.close" }); return; }
    tell({ type: "snap.result", outcome: facts().outcome, result: JSON.parse(facts().result), closed: closed });
  }

  /* Only the page that opened us, and only when it lives where it said, may be told anything. */
  window.addEventListener("message", function (event) {
    if (event.source !== window.parent || event.origin !== facts().origin) { return; }
    if (!event.data || event.data.type !== "snap.open") { return; }
    connected = true;
    if (unsent) { tell(unsent); }
  });

  document.addEventListener("click", function (event) {
    var target = event.target.closest("[data-close],[data-done],[data-copy],[data-fill]");
    if (!target) { return; }
    if (target.hasAttribute("data-close")) { leave(facts().outcome === "pending"); }
    if (target.hasAttribute("data-done")) { leave(false); }
    if (target.hasAttribute("data-copy")) { copy(target); }
    if (target.hasAttribute("data-fill")) { fill(target.dataset.fill); }
  });

  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape" && facts().mode === "popup") { leave(facts().outcome === "pending"); }
  });

  /* A form is sent once: the second press finds the button gone grey. */
  document.addEventListener("submit", function (event) {
    if (document.body.hasAttribute("data-sent")) { event.preventDefault(); return; }
    document.body.setAttribute("data-sent", "");
  });
  window.addEventListener("pageshow", function () { document.body.removeAttribute("data-sent"); });

  function copy(button) {
    var before = button.textContent;
    function say() {
      button.textContent = button.dataset.copied;
      window.setTimeout(function () { button.textContent = before; }, 1500);
    }
    if (navigator.clipboard) { navigator.clipboard.writeText(button.dataset.copy).then(say, select); } else { select(); }
    function select() { window.getSelection().selectAllChildren(button.parentNode.querySelector("[data-number]")); }
  }

  function fill(number) {
    document.querySelector("[name=number]").value = number;
    document.querySelector("[name=cvv]").value = "123";
    document.querySelector("form .primary").focus();
  }

  function countDown(element) {
    var left = Number(element.dataset.countdown);
    window.setInterval(function () {
      left = Math.max(0, left - 1);
      element.textContent = [left / 3600, (left / 60) % 60, left % 60].map(function (part) {
        return String(Math.floor(part)).padStart(2, "0");
      }).join(":");
    }, 1000);
  }

  function lookForNews() {
    fetch(facts().stateUrl).then(function (answer) { return answer.json(); }).then(function (state) {
      if (state.status !== facts().status) { window.location.reload(); }
    }).catch(function () { /* the next look will tell */ });
  }

  document.addEventListener("DOMContentLoaded", function () {
    if (framed()) { window.parent.postMessage({ type: "snap.ready" }, facts().origin); }
    document.querySelectorAll("[data-countdown]").forEach(countDown);
    if (facts().stateUrl) { window.setInterval(lookForNews, POLL_MS); }
    var autoClose = Number(facts().autoClose);
    if (framed() && autoClose > 0) { window.setTimeout(function () { leave(false); }, autoClose * 1000); }
  });
})();
