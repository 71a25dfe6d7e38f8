def test_ready(client):
    assert client.get("/readyz").status_code == 200
