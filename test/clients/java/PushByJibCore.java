import com.google.cloud.tools.jib.api.Containerizer;
import com.google.cloud.tools.jib.api.Jib;
import com.google.cloud.tools.jib.api.RegistryImage;
import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.frontend.CredentialRetrieverFactory;
import com.google.cloud.tools.jib.api.ImageReference;
import java.nio.file.Path;
import java.util.List;

/** Pushes an image of one file by Jib's library, with the login that it finds in docker's file. */
public class PushByJibCore {
  public static void main(String[] arguments) throws Exception {
    ImageReference image = ImageReference.parse(arguments[0]);
    var login = CredentialRetrieverFactory.forImage(image, event -> {}).dockerConfig(Path.of(arguments[1]));
    Jib.fromScratch()
        .addLayer(List.of(Path.of(arguments[2])), AbsoluteUnixPath.get("/srv"))
        .containerize(Containerizer.to(RegistryImage.named(image).addCredentialRetriever(login)));
  }
}
