// Opened inside Telegram, the page finds Telegram's signed words about who opened it in its own address.
const words = new URLSearchParams(location.hash.slice(1)).get("tgWebAppData");
if (words) {
  document.getElementById("init_data").value = words;
  history.replaceState(null, "", location.pathname);
  document.getElementById("telegram").submit();
}
