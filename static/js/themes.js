// Light, dark, or as the device says: switched in place and remembered in the cookie the server reads.

const A_YEAR_S = 31_536_000;

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-theme-choice]");
  if (!link) return;
  event.preventDefault();
  choose(link.dataset.themeChoice);
});

function choose(theme) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `theme=${theme}; path=/; max-age=${A_YEAR_S}; samesite=lax${secure}`;
  const root = document.documentElement;
  if (theme === "auto") root.removeAttribute("data-bs-theme");
  else root.dataset.bsTheme = theme;
  for (const link of document.querySelectorAll("[data-theme-choice]")) {
    if (link.dataset.themeChoice === theme) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}
