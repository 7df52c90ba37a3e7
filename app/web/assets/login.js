"use strict";
// The address that a terminal shows has the token behind its #, which a browser sends to nobody.

document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
if (location.hash.length > 1) {
  document.getElementById("token").value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  document.querySelector("form").submit();
}
