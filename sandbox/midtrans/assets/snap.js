/* The merchant page's side of the payment popup. Needs no inline script, no inline style, no eval. */
(function () {
  "use strict";

  var script = document.currentScript;
  var clientKey = script.getAttribute("data-client-key") || "";
  var home = new URL(script.src);
  var pageBase = home.href.replace(/\/snap\/snap\.js.*$/, "/snap/v4/redirection/");
  var open = null; // {frame, options, overlay, focusBefore, overflowBefore}
  var loading = null;

  function dress(element, styles) {
    Object.keys(styles).forEach(function (name) { element.style[name] = styles[name]; });
    return element;
  }

  function pageUrl(token, options, mode) {
    var url = new URL(pageBase + encodeURIComponent(token));
    url.searchParams.set(mode, "1");
    url.searchParams.set("origin", window.location.origin);
    url.searchParams.set("client_key", clientKey);
    ["language", "autoCloseDelay", "selectedPaymentType", "uiMode"].forEach(function (name) {
      if (options[name] !== undefined) { url.searchParams.set(name, options[name]); }
    });
    return url.href;
  }

  function makeFrame(src, id) {
    var frame = document.createElement("iframe");
    frame.id = id;
    frame.name = id;
    frame.title = "Pembayaran";
    frame.src = src;
    frame.allow = "clipboard-write";
    return frame;
  }

  function refuseSecond() {
    if (open) { throw new Error("Invalid state transition: the payment page is open already"); }
  }

  function pay(token, options) {
    refuseSecond();
    hide();
    var frame = dress(makeFrame(pageUrl(token, options || {}, "popup"), "snap-midtrans"), {
      position: "fixed", top: "0", left: "0", width: "100%", height: "100%", border: "0",
      zIndex: "999999", background: "transparent", colorScheme: "light"
    });
    open = {
      frame: frame, options: options || {}, popup: true,
      focusBefore: document.activeElement, overflowBefore: document.body.style.overflow
    };
    document.body.style.overflow = "hidden";
    document.body.appendChild(frame);
    frame.addEventListener("load", function () { frame.focus(); });
  }

  function embed(token, options) {
    refuseSecond();
    var place = document.getElementById(options.embedId);
    if (!place) { throw new Error("embedId does not name an element"); }
    var frame = dress(makeFrame(pageUrl(token, options, "embed"), "snap-midtrans"), {
      width: "100%", minWidth: "320px", height: "100%", minHeight: "560px", border: "0", colorScheme: "light"
    });
    open = { frame: frame, options: options, popup: false };
    place.appendChild(frame);
  }

  function show() {
    if (loading || open) { return; }
    loading = dress(document.createElement("div"), {
      position: "fixed", top: "0", left: "0", right: "0", bottom: "0", zIndex: "999998",
      background: "rgba(15, 23, 42, 0.55)", display: "flex", alignItems: "center",
      justifyContent: "center", color: "#fff", font: "500 16px system-ui, sans-serif"
    });
    loading.id = "snap-loading";
    loading.setAttribute("role", "status");
    loading.textContent = "…";
    document.body.appendChild(loading);
  }

  function hide() {
    if (loading) { loading.remove(); loading = null; }
    if (open && open.popup) { shut(); }
  }

  function shut() {
    var closed = open;
    open = null;
    closed.frame.remove();
    if (closed.popup) {
      document.body.style.overflow = closed.overflowBefore;
      if (closed.focusBefore && closed.focusBefore.focus) { closed.focusBefore.focus(); }
    }
    return closed.options;
  }

  function finish(message) {
    var names = { success: "onSuccess", pending: "onPending", error: "onError" };
    var options = shut();
    var callback = options[names[message.outcome]];
    if (callback) {
      callback(message.result);
    } else if (message.result.finish_redirect_url) {
      window.location.assign(message.result.finish_redirect_url);
    }
    if (message.closed && options.onClose) { options.onClose(); }
  }

  window.addEventListener("message", function (event) {
    if (!open || event.origin !== home.origin || event.source !== open.frame.contentWindow) { return; }
    var message = event.data || {};
    if (message.type === "snap.ready") {
      event.source.postMessage({ type: "snap.open" }, home.origin);
    } else if (message.type === "snap.result") {
      finish(message);
    } else if (message.type === "snap.close") {
      var options = shut();
      if (options.onClose) { options.onClose(); }
    }
  });

  window.snap = { pay: pay, embed: embed, show: show, hide: hide };
})();
