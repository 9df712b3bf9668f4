// The theme is Airflow's, live. Loaded before the page is drawn, which would flash otherwise.
(() => {
  function followTheme() {
    let outer;
    try {
      // Of another origin, or none: the style sheet then follows the system.
      outer = window.parent === window ? undefined : window.parent.document.documentElement;
    } catch {
      outer = undefined;
    }
    const inner = document.documentElement.classList;
    function apply() {
      const stored = outer ? (outer.classList.contains("dark") ? "dark" : "light") : storedTheme();
      inner.remove("light", "dark");
      if (stored) inner.add(stored);
    }
    apply();
    if (outer) new MutationObserver(apply).observe(outer, { attributes: true, attributeFilter: ["class"] });
    else window.addEventListener("storage", apply);
  }

  function storedTheme() {
    try {
      const theme = localStorage.getItem("theme");
      return theme === "light" || theme === "dark" ? theme : undefined;
    } catch {
      return undefined;
    }
  }

  followTheme();
})();
