// Shows and hides a password: <button data-reveal="id-of-the-input">. Hidden again before the form is sent, so that
// browsers neither keep it as ordinary text nor suggest it in other fields.

for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  const show = (shown) => {
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  };
  button.addEventListener("click", () => {
    show(input.type === "password");
    input.focus();
  });
  input.form.addEventListener("submit", () => show(false));
}
