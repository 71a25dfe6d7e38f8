/* The payment page in motion: countdown, copying, looking for news, and talking to the page that opened it.
   Everything here is comfort; without it the forms and links do the same. */
(function () {
  "use strict";

  var body = document.body;
  document.documentElement.classList.add("js");
  var hostOrigin = body.dataset.origin;
  var framed = body.dataset.mode !== "redirect" && hostOrigin && window.parent !== window;
  var connected = false;
  var POLL_MS = 2000;

  function tell(message) {
    if (framed && connected) { window.parent.postMessage(message, hostOrigin); }
  }

  function result() {
    return body.dataset.result ? JSON.parse(body.dataset.result) : null;
  }

  function leave(closed) {
    var told = result();
    if (!told) { tell({ type: "snap.close" }); return; }
    tell({ type: "snap.result", outcome: body.dataset.outcome, result: told, closed: closed });
  }

  /* Only the page that opened us, and only when it lives where it said, may be told anything. */
  window.addEventListener("message", function (event) {
    if (event.source !== window.parent || event.origin !== hostOrigin) { return; }
    if (event.data && event.data.type === "snap.open") { connected = true; }
  });
  if (framed) { window.parent.postMessage({ type: "snap.ready" }, hostOrigin); }

  document.addEventListener("click", function (event) {
    var target = event.target.closest("[data-close],[data-done],[data-copy],[data-fill]");
    if (!target) { return; }
    if (target.hasAttribute("data-close")) { leave(body.dataset.outcome === "pending"); }
    if (target.hasAttribute("data-done")) { leave(false); }
    if (target.hasAttribute("data-copy")) { copy(target); }
    if (target.hasAttribute("data-fill")) { fill(target.dataset.fill); }
  });

  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape" && body.dataset.mode === "popup") { leave(body.dataset.outcome === "pending"); }
  });

  /* A form is sent once: the second press finds the button gone grey. */
  document.addEventListener("submit", function (event) {
    if (body.hasAttribute("data-sent")) { event.preventDefault(); return; }
    body.setAttribute("data-sent", "");
  });
  window.addEventListener("pageshow", function () { body.removeAttribute("data-sent"); });

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

  document.querySelectorAll("[data-countdown]").forEach(function (element) {
    var left = Number(element.dataset.countdown);
    window.setInterval(function () {
      left = Math.max(0, left - 1);
      element.textContent = [left / 3600, (left / 60) % 60, left % 60].map(function (part) {
        return String(Math.floor(part)).padStart(2, "0");
      }).join(":");
    }, 1000);
  });

  if (body.dataset.stateUrl) {
    window.setInterval(function () {
      fetch(body.dataset.stateUrl).then(function (answer) { return answer.json(); }).then(function (state) {
        if (state.status !== body.dataset.status) { window.location.reload(); }
      }).catch(function () { /* the next look will tell */ });
    }, POLL_MS);
  }

  var autoClose = Number(body.dataset.autoClose);
  if (framed && autoClose > 0) { window.setTimeout(function () { leave(false); }, autoClose * 1000); }
})();
