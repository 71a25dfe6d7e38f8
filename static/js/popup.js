// Opens the payment popup. Whatever it calls back with is not believed: each callback only asks our server to look.

const page = document.querySelector("[data-top-up]");
let popupIsOpen = false;

const askServer = () => {
  popupIsOpen = false;
  const form = document.getElementById(page.dataset.checkForm);
  if (form && window.htmx) window.htmx.trigger(form, "look");
};

function tellBlocked() {
  document.querySelector("[data-blocked]")?.classList.remove("d-none");
  document.querySelector("[data-pay-link]")?.classList.add("btn-primary");
}

function openPopup(button) {
  if (popupIsOpen) return;
  if (!window.snap) return tellBlocked();
  popupIsOpen = true;
  try {
    window.snap.pay(button.dataset.token, {
      language: button.dataset.language,
      onSuccess: askServer,
      onPending: askServer,
      onError: askServer,
      onClose: askServer,
    });
  } catch {
    popupIsOpen = false;
    tellBlocked();
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pay]");
  if (button) openPopup(button);
});

// Fresh from the form: open at once, and forget that wish, so that a reload does not open it again.
if (page?.dataset.open) {
  window.history.replaceState(null, "", window.location.pathname);
  const begin = () => {
    const button = document.querySelector("[data-pay]");
    if (button) openPopup(button);
  };
  if (document.readyState === "complete") begin();
  else window.addEventListener("load", begin);
}
